/** The model as its container runs it, in the virtual environment that these tests make: `npm run test:model`. Needs Python 3.11. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/model-server/**/*.test.ts"],
  testTimeout: 600_000,
};
