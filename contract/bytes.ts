/** A text's length in UTF-8 bytes, which is how AWS counts. */
export const bytesOf = (text: string): number => Buffer.byteLength(text, "utf8");

/** The beginning of a text, of whole characters. */
export const beginningOf = (text: string, bytes: number): string => {
  const encoded = Buffer.from(text);
  if (encoded.byteLength <= bytes) return text;
  let end = bytes;
  while (((encoded[end] ?? 0) & 0xc0) === 0x80) end--;
  return encoded.subarray(0, end).toString();
};
