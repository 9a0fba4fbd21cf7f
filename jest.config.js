const { availableParallelism } = require("node:os");

/**
 * Tests that take long or need more than Node.js: `npm run test:<name>`. `npx jest FILE` runs any one file. In the scripts
 * a flag follows --selectProjects, which would take a file's path for one more project.
 */
const slow = {
  /**
   * Everything that can go wrong, alone and at random; the benchmark's counting; a test file alone in a clone; sweeps over
   * every call, every region, many configurations and every way to more power.
   */
  faults: { folders: ["faults", "bench", "clone", "sweeps"], minutes: 30 },
  /** The loader with a mistake in it, which the faults must show. */
  mutants: { folders: ["mutants"], minutes: 30 },
  /** Many more requests and kills than the faults' tests have, and what bench:jobs counts at a small size: up to an hour each. */
  kills: { folders: ["kills"], minutes: 240 },
  /** The program as a process. Needs Python 3. */
  cli: { folders: ["cli"], minutes: 30, setup: "synth-setup" },
  /** The program with large files: minutes. */
  large: { folders: ["large"], minutes: 30, setup: "synth-setup" },
  /** The checks with a real Terraform. Needs Terraform in PATH. */
  terraform: { folders: ["terraform"], minutes: 30, setup: "synth-setup" },
  /** Deploying for real, by Terraform on moto. Needs Terraform in PATH, and Python 3. */
  lifecycle: { folders: ["lifecycle"], minutes: 30, setup: "lifecycle-setup" },
  /** Taking over what the original deployed, and the way back. Needs what the life cycle needs. */
  migration: { folders: ["migration"], minutes: 30, setup: "lifecycle-setup" },
  /** What `npm run smoke` does on AWS, on stand-ins: minutes. Needs what the life cycle needs, and PyTorch. */
  smoke: { folders: ["smoke"], minutes: 60, setup: "lifecycle-setup" },
  /** What people look at, in a headless browser. Needs Chromium or Chrome. */
  browser: { folders: ["browser"], minutes: 10 },
  /** The model as its container runs it, in a virtual environment made for it. Needs Terraform in PATH, and Python 3.11. */
  model: { folders: ["model-server"], minutes: 30 },
};

const paths = (folders) => folders.map((folder) => `<rootDir>/__tests__/${folder}/`);

/** @param minutes how long a test may take: that is no verdict, and only ends what hangs */
const project = (displayName, roots, minutes, setup = "global-setup") => ({
  displayName,
  testMatch: roots.map((root) => `${root}**/*.test.ts`),
  globals: { testMinutes: minutes },
  globalSetup: `<rootDir>/__tests__/setup/${setup}.mjs`,
  globalTeardown: "<rootDir>/__tests__/setup/global-teardown.mjs",
  setupFilesAfterEnv: ["<rootDir>/__tests__/setup/timeout.ts", "<rootDir>/__tests__/setup/matchers.ts"],
  transform: { "\\.ts$": ["@swc/jest", { jsc: { target: "es2023", parser: { syntax: "typescript" } } }] },
  moduleNameMapper: { "^(\\.|.*/private)/stack-trace$": "<rootDir>/__tests__/setup/no-stack-traces.ts" },
  modulePathIgnorePatterns: ["<rootDir>/.cli", "<rootDir>/cdktf.out", "<rootDir>/dist", "<rootDir>/.local"],
});

/** @type {import("jest").Config} */
module.exports = {
  maxWorkers: 2 * availableParallelism(), // many tests wait for processes and servers of theirs
  testSequencer: "<rootDir>/__tests__/setup/longest-first.cjs",
  projects: [
    {
      ...project("unit", ["<rootDir>/__tests__/"], 5),
      testPathIgnorePatterns: paths(Object.values(slow).flatMap(({ folders }) => folders)),
    },
    ...Object.entries(slow).map(([name, { folders, minutes, setup }]) => project(name, paths(folders), minutes, setup)),
  ],
};
