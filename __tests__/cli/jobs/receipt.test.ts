import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readReceipt, receiptHeader, receiptLine } from "../../../cli/jobs/receipt";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "receipt-"));
});
afterAll(() => rm(folder, { recursive: true }));

const read = async (content: string | Buffer) => {
  const path = join(folder, "receipt.csv");
  await writeFile(path, content);
  const entries = [];
  try {
    for await (const entry of readReceipt(path)) entries.push(entry);
  } catch (error) {
    throw new Error(error instanceof Error ? error.message.replaceAll(path, "receipt.csv") : String(error));
  }
  return entries;
};

test("a receipt gives back what was written into it", async () => {
  const entries = ["7", "a, b", 'say "no"', "two\nlines", " \u{1F980}"].map((id, row) => {
    return { id, requestId: `run.${row}`, jobId: "nightly" };
  });
  expect(await read(receiptHeader + entries.map(receiptLine).join(""))).toEqual(entries);
});

test("other columns and another order are no matter", async () => {
  expect(await read("job_id,state,request_id,id\r\nj,done,r,7\r\n\r\n")).toEqual([
    { id: "7", requestId: "r", jobId: "j" },
  ]);
});

test.each([
  ["an empty file", "", "receipt.csv:1:1: the file is empty; the columns are id, request_id, job_id"],
  [
    "missing columns",
    "id\n7\n",
    "receipt.csv:1:1: the header lacks request_id, job_id; the columns are id, request_id, job_id",
  ],
  [
    "an empty value, where the row starts",
    'id,request_id,job_id\n"7\n8",r,j\n9,,j\n',
    "receipt.csv:4:1: a row of a receipt has id, request_id, job_id, and none of them empty",
  ],
  [
    "an open quote",
    'id,request_id,job_id\n7,r,j\n"8,r,j\n',
    "receipt.csv:3:1: the quote that opens here is never closed",
  ],
  [
    "other text than UTF-8",
    Buffer.from("id,request_id,job_id\n7,r,j\n\xe9,r,j\n", "latin1"),
    "receipt.csv:3:1: the byte E9 is no UTF-8; the file may be Windows-1252 or Latin-1; save it as UTF-8",
  ],
])("refuses %s", async (_, content, message) => {
  await expect(read(content)).rejects.toThrow(new Error(message));
});

test("says that there is no such file", async () => {
  await expect(readReceipt("no-such.csv").next()).rejects.toThrow("cannot read no-such.csv: there is no such file");
});
