/** The checks with a real Terraform, which must be in PATH: `npm run test:terraform`. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/terraform/**/*.test.ts"],
  testTimeout: 180_000,
};
