import { visible } from "../../../cli/shared/printing";
import { AwsError, type StandIn, serve } from "../../../local/stand-in";
import { type LocalPipeline, startLocalPipeline } from "../../setup/local-pipeline";
import { answered, loadOutcomes } from "../../setup/outcomes";
import { atTerminal, runProgram } from "../../setup/program";

/** Sets a title, a colour, clears the screen, goes back in the line, and turns the rest of it around. */
const acting = "\x1b]0;title\x07\x1b[31m\x1b[2J\x9b2K\rgone\u202eleft";
const shown = String.raw`\u001b]0;title\u0007\u001b[31m\u001b[2J\u009b2K\u000dgone\u202eleft`;
/** What of it, as it is, is in a text. */
const actingIn = (text: string) =>
  ["\x1b]", "\x1b[31m", "\x1b[2J", "\x9b", "\x07", "\rg", "\u202e"].filter((one) => text.includes(one));

test("what acts on a terminal is made visible, and nothing else is changed", () => {
  expect(visible(acting)).toBe(shown);
  const usual = "a\tline\nand\r\nanother: é 😀 猫 👩‍💻 שלום";
  expect(visible(usual)).toBe(usual);
});

describe("an answer, an id and a job that others chose", () => {
  let pipeline: LocalPipeline;
  beforeAll(async () => {
    pipeline = await startLocalPipeline();
    Object.assign(process.env, pipeline.aws.environment);
    await loadOutcomes([
      answered({ requestId: "acting", inputId: "acting", jobId: acting, output: acting }),
      answered({ requestId: acting, inputId: acting, jobId: undefined }),
    ]);
  });
  afterAll(() => pipeline.stop());

  test("act on no terminal", async () => {
    const at = (...args: string[]) => pipeline.start(args, { on: atTerminal }).ended;
    const { status, stdout } = await at("results", "acting", "--format", "csv");
    expect(status).toBe(0);
    expect(stdout).toContain(shown);
    expect(actingIn(stdout)).toEqual([]);
    for (const args of [["results", "acting", acting], ["job", "list"], ["results", `none ${acting}`], ["status"]])
      expect(actingIn((await at(...args)).stdout)).toEqual([]);
  });

  test("are whole in what another program reads", async () => {
    const { stdout } = await pipeline.run("results", "acting", "--format", "csv");
    expect(stdout).toContain(`\x1b]0;title\x07`);
  });
});

describe("what AWS says", () => {
  let aws: StandIn;
  let said = "";
  beforeAll(async () => {
    aws = await serve(() => {
      throw new AwsError("InternalServerError", 400, said);
    });
  });
  afterAll(() => aws.stop());
  const status = (...args: string[]) =>
    runProgram(["status", "--env", "dev", ...args], {
      environment: {
        AWS_ENDPOINT_URL_SSM: aws.url,
        AWS_ACCESS_KEY_ID: "key",
        AWS_SECRET_ACCESS_KEY: "secret",
        AWS_PROFILE: undefined,
      },
    });

  test("is shown visibly on standard error, whatever that is", async () => {
    said = acting;
    const { stderr } = await status();
    expect(stderr).toContain(shown);
    expect(actingIn(stderr)).toEqual([]);
  });

  test("is cut where it is huge, also where more is asked for", async () => {
    said = "x".repeat(20_000_000);
    const { stderr } = await status();
    expect(stderr).toContain("characters more");
    expect(stderr.length).toBeLessThan(3_000);
    expect((await status("--debug")).stderr.length).toBeLessThan(150_000);
  });
});
