/** The program as a process, with files of a million rows too: `npm run test:cli`. Needs Python 3. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/{cli,large}/**/*.test.ts"],
  testTimeout: 1_800_000,
};
