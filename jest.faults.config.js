/** Everything that can go wrong, alone and at random: `npm run test:faults`. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/faults/**/*.test.ts"],
  testTimeout: 600_000,
};
