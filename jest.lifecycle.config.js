/** Deploying for real, by Terraform on moto: `npm run test:lifecycle`. Needs Terraform and Python 3. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/lifecycle/**/*.test.ts"],
  globalSetup: "<rootDir>/__tests__/setup/lifecycle-setup.mjs",
  testTimeout: 1_800_000,
};
