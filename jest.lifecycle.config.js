/** Terraform's whole life cycle on a moto of its own: `npm run test:lifecycle`. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/lifecycle/**/*.test.ts"],
  testTimeout: 600_000,
};
