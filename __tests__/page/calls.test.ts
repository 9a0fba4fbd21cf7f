import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { callsOf } from "../../cli/page/calls";
import { removeLocalEnvironment, writeLocalEnvironment } from "../../local/environment-file";
import { contract } from "../setup/contract";

const id = `it's "7" $HOME \\ <b>`;
const features = { age: 36, income: 1.5, city: "O'Hare & `more`" };

let dataDir: string;
beforeAll(() => {
  dataDir = mkdtempSync(join(tmpdir(), "calls-"));
  const variables = {
    QUEUE_URL: "http://127.0.0.1/queue",
    API_URL: "http://127.0.0.1/it's",
    AWS_ENDPOINT_URL_SQS: "http://x",
  };
  writeLocalEnvironment(dataDir, { environment: "dev", namesParameter: "/names", variables });
});
afterAll(() => {
  removeLocalEnvironment(dataDir);
  rmSync(dataDir, { recursive: true });
});

test.each(["AWS CLI", "curl", "This program"])(
  "with %s a call comes as it is meant, whatever is in the row",
  (program) => {
    const values = Object.values(features).map(String);
    const pipeline = { contract, commandFor: (command: string) => `npx offline-inference ${command} --local` };
    const calls = callsOf(pipeline, { id, values }, { dataDir, isSigned: false });
    const text = calls.find((call) => call.with === program)?.text ?? "";
    const says = (name: string) => `${name}() { printf '%s\\n' "$@"; }\n`;
    const script = `${["aws", "curl", "npx"].map(says).join("")}${text}`;
    const words = execFileSync("sh", ["-euc", script], { encoding: "utf8" }).split("\n");
    if (program === "This program") return expect(words).toEqual(["offline-inference", "results", id, "--local", ""]);
    const body = words.find((word) => word.startsWith("{")) ?? "";
    expect(JSON.parse(body)).toEqual({ id, features });
    expect(words).toEqual(
      expect.arrayContaining(
        program === "curl"
          ? ["http://127.0.0.1/it's/predict", `http://127.0.0.1/it's/predict/${encodeURIComponent(id)}`]
          : ["--queue-url", "http://127.0.0.1/queue"],
      ),
    );
  },
);
