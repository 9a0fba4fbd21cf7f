/** What the commands that feed a pipeline make of a million rows: `npm run test:cli`. Needs Python 3. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/large/**/*.test.ts"],
  testTimeout: 1_800_000,
};
