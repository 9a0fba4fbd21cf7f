import { spawnSync } from "node:child_process";

/** What stands before `npm start`, on a platform by Node's name for it. */
const install = (platform: string) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/install.mjs", platform], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

test("Windows is told to take WSL, and nothing is installed there", () => {
  expect(install("win32")).toEqual({ status: 1, stdout: "", stderr: expect.stringMatching(/run it in WSL, .*\n$/) });
});
