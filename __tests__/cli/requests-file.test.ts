import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InvalidRequestsFile, readRequestsFile } from "../../cli/requests-file";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "requests-"));
});
afterAll(() => rm(folder, { recursive: true }));

const write = async (content: string | Buffer) => {
  const path = join(folder, "rows.csv");
  await writeFile(path, content);
  return path;
};
const read = async (content: string) => readRequestsFile(await write(content));
/** The faults found in a file, without its path. */
const faultsIn = async (content: string | Buffer) => {
  const path = await write(content);
  const error: unknown = await readRequestsFile(path).catch((reason: unknown) => reason);
  if (!(error instanceof InvalidRequestsFile)) throw new Error("the file was accepted");
  return error.message.replaceAll(`${path}:`, "").split("\n");
};

test("the sample file holds at least 40 requests", async () => {
  const rows = await readRequestsFile("samples/paraphrase/requests.csv");
  expect(rows.length).toBeGreaterThanOrEqual(40);
  expect(rows[0]).toEqual({
    id: "1",
    seq_0: "Heavy rain is expected in the valley on Sunday.",
    seq_1: "On Sunday, the valley expects heavy rain.",
  });
});

test.each([
  ["Unix line ends", "id,seq_0,seq_1\n1,a,b\n2,c,d\n"],
  ["Windows line ends", "id,seq_0,seq_1\r\n1,a,b\r\n2,c,d\r\n"],
  ["no newline at the end", "id,seq_0,seq_1\n1,a,b\n2,c,d"],
  ["a byte order mark", "\uFEFFid,seq_0,seq_1\n1,a,b\n2,c,d\n"],
  ["columns in another order", "seq_1,id,seq_0\nb,1,a\nd,2,c\n"],
  ["blank lines", "\nid,seq_0,seq_1\n1,a,b\n\n2,c,d\n\n\n"],
])("accepts %s", async (_case, content) => {
  expect(await read(content)).toEqual([
    { id: "1", seq_0: "a", seq_1: "b" },
    { id: "2", seq_0: "c", seq_1: "d" },
  ]);
});

test("keeps values exactly as they are", async () => {
  const [row] = await read('id,seq_0,seq_1\n007,"He said ""no"",\nthen left.", \u{1F980} ');
  expect(row).toEqual({ id: "007", seq_0: 'He said "no",\nthen left.', seq_1: " \u{1F980} " });
});

test.each([
  ["an empty file", "", "1:1: the file is empty; its first line must be id, seq_0, seq_1"],
  ["no rows", "id,seq_0,seq_1\n", "2:1: no request follows the header"],
  ["a missing column", "id,seq_0\n1,a\n", "1:1: the header lacks seq_1; the columns are id, seq_0, seq_1"],
  [
    "an unknown column",
    "id,seq_0,seq_1,label\n1,a,b,c\n",
    '1:16: column "label" is unknown; the columns are id, seq_0, seq_1',
  ],
  [
    "a column named twice",
    "id,seq_0,seq_1,id\n1,a,b,c\n",
    '1:16: column "id" is named twice; the columns are id, seq_0, seq_1',
  ],
  ["an empty id", "id,seq_0,seq_1\n,a,b\n", "2:1: id is empty"],
  ["a blank sentence", "id,seq_0,seq_1\n1,a,b\n2,Zoë,  \n", "3:7: seq_1 is empty"],
  ["too few fields", "id,seq_0,seq_1\n1,a\n", "2:1: a row has 3 fields (id, seq_0, seq_1), this one has 2"],
  [
    "a comma outside quotes",
    "id,seq_0,seq_1\n1,a,b, c\n",
    "2:7: a row has 3 fields (id, seq_0, seq_1), this one has 4; a sentence with a comma must stand in double quotes",
  ],
  ["an id used twice", "id,seq_0,seq_1\n1,a,b\n2,c,d\n1,e,f\n", '4:1: id "1" is used twice, first in line 2'],
  ["a quote that is never closed", 'id,seq_0,seq_1\n1,a,"b\n2,c,d\n', "2:5: the quote that opens here is never closed"],
  [
    "text after a closing quote",
    'id,seq_0,seq_1\n1,"a"x,b\n',
    '2:3: the quoted field that starts here goes on after its closing quote; write " inside it as ""',
  ],
  [
    "a quote inside a plain field",
    'id,seq_0,seq_1\n1,say "hi",b\n',
    '2:3: the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
  ],
  [
    "a quote in the header",
    'id,se"q_0,seq_1\n',
    '1:4: the field that starts here has a quote after other text or a space; put the whole field in quotes, and write " in it as ""',
  ],
])("refuses %s", async (_case, content, fault) => {
  expect(await faultsIn(content)).toEqual([fault]);
});

test("refuses text that is not UTF-8, at the first wrong byte", async () => {
  const latin1 = Buffer.from("id,seq_0,seq_1\n1,caf\xe9,b\n", "latin1");
  expect(await faultsIn(latin1)).toEqual(["2:6: not UTF-8 text; save the file as UTF-8"]);
});

test("counts lines through newlines in quotes, Windows line ends and a byte order mark", async () => {
  expect(await faultsIn('\uFEFFid,seq_0,seq_1\r\n1,"two\r\nlines",b\r\n2,c,\r\n')).toEqual(["4:5: seq_1 is empty"]);
});

test("reports the faults before a place that is not CSV along with it", async () => {
  expect(await faultsIn('id,seq_0,seq_1\n,a,b\n2,c,"d\n')).toEqual([
    "2:1: id is empty",
    "3:5: the quote that opens here is never closed",
  ]);
});

test.each([
  [20, 0],
  [23, 3],
])("of %i faults names at most 20 and counts the rest", async (count, rest) => {
  const faults = await faultsIn(`id,seq_0,seq_1\n${",a,b\n".repeat(count)}`);
  expect(faults.slice(0, 20)).toEqual(Array.from({ length: 20 }, (_, row) => `${row + 2}:1: id is empty`));
  expect(faults.slice(20)).toEqual(rest === 0 ? [] : [`and ${rest} more`]);
});

test("says which file cannot be read, and why", async () => {
  await expect(readRequestsFile(join(folder, "none.csv"))).rejects.toThrow(
    new InvalidRequestsFile(`cannot read ${join(folder, "none.csv")}: there is no such file`),
  );
  await expect(readRequestsFile(folder)).rejects.toThrow(`cannot read ${folder}: it is a folder`);
});
