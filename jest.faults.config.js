/** What takes long: everything that can go wrong, alone and at random, and the benchmark's counting. `npm run test:faults`. @type {import("jest").Config} */
module.exports = {
  ...require("./jest.config.js"),
  testPathIgnorePatterns: [],
  testMatch: ["<rootDir>/__tests__/{faults,bench}/**/*.test.ts"],
  testTimeout: 600_000,
};
