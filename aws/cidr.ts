/** A block of IPv4 addresses. */
export interface CidrBlock {
  /** The first and the last address as numbers. */
  readonly first: number;
  readonly last: number;
  readonly prefixLength: number;
}

/** Reads `10.0.2.0/24`; undefined where it is no CIDR block, or where its address is not the first of the block. */
export function parseCidr(text: string): CidrBlock | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text)?.slice(1);
  if (parts === undefined || parts.some((part) => part !== String(Number(part)))) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, prefixLength = 0] = parts.map(Number);
  if (Math.max(a, b, c, d) > 255 || prefixLength > 32) return undefined;
  const first = ((a * 256 + b) * 256 + c) * 256 + d;
  const size = 2 ** (32 - prefixLength);
  return first % size === 0 ? { first, last: first + size - 1, prefixLength } : undefined;
}

/** Whether the first block lies wholly inside the second; false where one of them is no block. */
export function isInside(inner: string, outer: string): boolean {
  const [small, large] = [parseCidr(inner), parseCidr(outer)];
  return small !== undefined && large !== undefined && small.first >= large.first && small.last <= large.last;
}

/** Whether two blocks share an address; false where one of them is no block. */
export function overlap(one: string, other: string): boolean {
  const [a, b] = [parseCidr(one), parseCidr(other)];
  return a !== undefined && b !== undefined && a.first <= b.last && b.first <= a.last;
}
