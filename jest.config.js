const { availableParallelism } = require("node:os");

/** @type {import("jest").Config} */
module.exports = {
  maxWorkers: 2 * availableParallelism(), // many tests wait for processes and servers of theirs
  testTimeout: 60_000, // how long a test takes is no verdict: this only ends what hangs
  testMatch: ["<rootDir>/__tests__/**/*.test.ts"],
  testPathIgnorePatterns: ["terraform", "lifecycle", "faults", "bench", "cli", "large", "model-server"].map(
    (slow) => `<rootDir>/__tests__/${slow}/`,
  ),
  transform: { "\\.ts$": ["@swc/jest", { jsc: { target: "es2023", parser: { syntax: "typescript" } } }] },
  globalSetup: "<rootDir>/__tests__/setup/global-setup.mjs",
  globalTeardown: "<rootDir>/__tests__/setup/global-teardown.mjs",
  setupFilesAfterEnv: ["<rootDir>/__tests__/setup/matchers.ts"],
  modulePathIgnorePatterns: ["<rootDir>/.cli", "<rootDir>/cdktf.out", "<rootDir>/dist", "<rootDir>/.local"],
};
