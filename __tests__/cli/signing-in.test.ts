import { createHash } from "node:crypto";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../setup/program";

const startUrl = "https://team.awsapps.com/start";
const config = `
[profile mfa]
role_arn = arn:aws:iam::123456789012:role/operator
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/me
[profile keys]
aws_access_key_id = AKIDEXAMPLE
aws_secret_access_key = none
[profile empty]
region = us-east-1
[profile failing]
credential_process = sh -c "echo not signed in >&2; exit 3"
[profile silent]
credential_process = echo "{}"
[profile old-sso]
sso_start_url = ${startUrl}
sso_region = us-east-1
sso_account_id = 123456789012
sso_role_name = operator
[profile sso]
sso_session = team
sso_account_id = 123456789012
sso_role_name = operator
[profile new-sso]
sso_session = nobody
sso_account_id = 123456789012
sso_role_name = operator
[sso-session team]
sso_start_url = ${startUrl}
sso_region = us-east-1
[sso-session nobody]
sso_start_url = ${startUrl}
sso_region = us-east-1
`;

let home: string;
beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), "home-"));
  const cache = join(home, ".aws", "sso", "cache");
  await mkdir(cache, { recursive: true });
  await writeFile(join(home, ".aws", "config"), config);
  const expired = { accessToken: "none", expiresAt: "2020-01-01T00:00:00Z", region: "us-east-1", startUrl };
  for (const name of [startUrl, "team"]) {
    await writeFile(join(cache, `${createHash("sha1").update(name).digest("hex")}.json`), JSON.stringify(expired));
  }
});

test.each([
  ["nowhere", 'There is no profile "nowhere" in '],
  ["mfa", "The profile wants a code of MFA"],
  ["failing", 'The program failed that the profile "failing" names as its credential_process'],
  ["silent", 'The program failed that the profile "silent" names as its credential_process'],
  ["empty", 'The profile "empty" has no credentials'],
  ["old-sso", "aws sso login --profile NAME"],
  ["sso", "aws sso login --profile NAME"],
  ["new-sso", "aws sso login --profile NAME"],
])("says why the profile %s signs nobody in, and what to do", async (profile, advice) => {
  const none = { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, AWS_SESSION_TOKEN: undefined };
  const environment = { ...none, HOME: home, AWS_PROFILE: profile, AWS_REGION: "us-east-1" };
  const { status, stdout, stderr } = await runProgram(["job", "list", "--env", "dev"], { environment });
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toContain(advice);
  expect(stderr).not.toContain("    at ");
});
