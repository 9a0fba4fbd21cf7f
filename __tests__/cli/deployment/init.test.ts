import { execFile } from "node:child_process";
import { mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { readConfig } from "../../../config/schema";
import { configText, placeholders, settingsOf } from "../../../config/starter";
import { operator } from "../../../local/credentials";
import { Checkout } from "../../setup/checkout";
import { atTerminal, startProgram } from "../../setup/program";

const shipped = configText(placeholders);
const environment: Record<string, string | undefined> = {
  ...process.env,
  AWS_REGION: undefined,
  AWS_DEFAULT_REGION: undefined,
  AWS_PROFILE: undefined,
  AWS_ACCESS_KEY_ID: operator.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: operator.credentials.secretAccessKey,
  AWS_ENDPOINT_URL_STS: process.env.TEST_SQS_URL,
};

let checkout: Checkout;
let config: string;
beforeAll(async () => {
  checkout = await Checkout.on({ environment });
  config = join(checkout.folder, "config.ts");
  await symlink(resolve("dist"), join(checkout.folder, "dist"));
  await mkdir(join(checkout.folder, "data"));
  await writeFile(join(checkout.folder, "data", "rows.csv"), "id,age,income,city\nc-1,34,1200.5,Lisbon\nc-2,51,900,\n");
});
beforeEach(() => writeFile(config, shipped));
afterAll(() => checkout.remove());

const init = (...args: string[]) => checkout.cli("init", ...args);
const synthesize = () => checkout.run(process.execPath, ["--import", "tsx", "main.ts", "--deployable"]);
const ours = [
  "--project",
  "churn",
  "--owner",
  "ml@team.test",
  "--region",
  "eu-west-1",
  "--state-bucket",
  "churn-state",
];

test("without a terminal it names each option that lacks, beside all else that is wrong, and writes nothing", async () => {
  const { status, stdout, stderr } = await init("--owner", "me; you", "--features", "age:Int,age2:Integral");
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  const [first, ...lines] = stderr.trim().split("\n");
  expect(first).toBe("Nothing was written to config.ts:");
  expect(lines.map((line) => line.trim().split(/[:;] | is /)[0])).toEqual([
    "owner",
    "model.contract.features.age",
    "--project",
    "--region",
    "--state-bucket",
    "--model",
  ]);
  expect(stderr).toContain('got "Int"; allowed: "String", "Integral", "Fractional"');
  expect(await readFile(config, "utf8")).toBe(shipped);
});

test("a file of rows says the features; what is written is formatted, synthesizes, is deployable, and is not written over", async () => {
  const args = [...ours, "--model", "churn", "--from", join("data", "rows.csv")];
  expect(await init(...args)).toMatchObject({ status: 0, stdout: "" });
  const written = await readFile(config, "utf8");
  expect(written).toContain(
    '    features: { age: "Integral", income: "Fractional", city: { type: "String", optional: true } },\n',
  );
  const told = { project: "churn", owner: "ml@team.test", prefix: "churn", region: "eu-west-1" };
  const city = { type: "String", optional: true };
  const features = { age: "Integral", income: "Fractional", city };
  const print = 'import { loadConfig } from "./config";\nconsole.log(JSON.stringify(loadConfig(undefined, {})));\n';
  await writeFile(join(checkout.folder, "print.ts"), print);
  const { stdout } = await checkout.run(process.execPath, ["--import", "tsx", "print.ts"]);
  const meant = readConfig(settingsOf({ ...told, stateBucket: "churn-state", model: "churn", features }), {});
  expect(JSON.parse(stdout)).toEqual(JSON.parse(JSON.stringify(meant)));
  expect((await synthesize()).status).toBe(0);

  expect(await init(...args)).toMatchObject({
    status: 1,
    stderr: "config.ts has been edited, and is not written over. Edit it by hand: docs/configuration.md\n",
  });
  expect(await readFile(config, "utf8")).toBe(written);
});

test("every config.ts that it writes is formatted as the project's", async () => {
  const many = Object.fromEntries(Array.from({ length: 12 }, (_, place) => [`a-feature-${place}`, "Fractional"]));
  const texts = [{ ...placeholders }, { ...placeholders, model: "churn" }, { ...placeholders, features: many }];
  const files = texts.map((_, place) => join(checkout.folder, `written-${place}.ts`));
  for (const [place, file] of files.entries()) await writeFile(file, configText(texts[place] ?? placeholders));
  await promisify(execFile)("node_modules/.bin/biome", ["format", "--config-path=.", "--vcs-enabled=false", ...files]);
});

test("asks at a terminal, checks each answer at once, and takes what is usual for an empty one", async () => {
  const { child, ended, printed } = startProgram(["init"], { environment, folder: checkout.folder, on: atTerminal });
  const dialogue = [
    ["Project", "poc"],
    ["Owner", "a;b"],
    ['owner: got "a;b"; allowed: ', "team@team.test"],
    ["AWS region", "eu-west-1"],
    ["Bucket of Terraform's state", "Bad_Bucket"],
    ['stateBucket: got "Bad_Bucket"; allowed: ', "poc-state"],
    ["[seq_0:String,seq_1:String]: ", ""],
    ["[paraphrase-bert-en]: ", ""],
  ];
  for (const [question = "", answer] of dialogue) {
    await printed("stdout", question);
    child.stdin.write(`${answer}\n`);
  }
  await printed("stdout", "config.ts is written.");
  child.stdin.end();
  expect((await ended).status).toBe(0);
  expect(await readFile(config, "utf8")).toBe(
    configText({
      project: "poc",
      owner: "team@team.test",
      prefix: "poc",
      region: "eu-west-1",
      stateBucket: "poc-state",
    }),
  );
});

test("where config.ts is gone each command says what writes it, and it does", async () => {
  await rm(config);
  expect(await checkout.cli("cost")).toMatchObject({
    status: 1,
    stderr: "There is no config.ts. This writes it: npx offline-inference init\n",
  });
  expect(await init(...ours)).toMatchObject({ status: 0 });
  expect((await checkout.cli("cost")).status).toBe(0);
});

test.each([
  ["bootstrap", "--auto-approve"],
  ["diff", "inference-dev"],
  ["deploy", "inference-dev", "--auto-approve"],
])("%s refuses the config.ts that is shipped, by the names of what is not yet yours", async (...command) => {
  const { status, stdout, stderr } = await checkout.cli(...command);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/ {2}project: got "your-project"; .*\n {2}owner: got .*\n {2}stateBucket: got .*init\)\n/);
});
