import type { Answer } from "./stand-in";

/** Answers as AWS's Query protocol carries them, in XML. */
export const element = (name: string, content: string) => `<${name}>${content}</${name}>`;
const text = (value: string) => value.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
export const xml = (status: number, body: string): Answer => ({
  status,
  headers: { "content-type": "text/xml" },
  body,
});

/** An error. */
export const fault = (code: string, status: number, message: string) =>
  xml(status, element("ErrorResponse", element("Error", element("Code", code) + element("Message", text(message)))));

/** Elements of these names. */
export const elements = (fields: Readonly<Record<string, string>>) =>
  Object.entries(fields)
    .map(([name, value]) => element(name, text(value)))
    .join("");
