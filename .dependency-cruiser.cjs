/** Who may import whom, room by room. CONTRIBUTING.md says what each room holds. */
const mayImport = {
  aws: [],
  contract: [],
  config: ["contract", "aws"],
  constructs: ["contract", "config", "aws"],
  stacks: ["constructs", "contract", "config", "aws", "config.ts"],
  pipeline: ["contract"],
  "lambda-src": ["pipeline", "contract"],
  local: ["contract", "aws", "stacks", "config.ts"], // local/pipeline.ts runs what a stack of config.ts says
  cli: ["pipeline", "contract", "local", "config", "config.ts", "stacks", "aws", "samples", "examples", "scripts"],
};
const rooms = [
  ...Object.keys(mayImport),
  "config.ts",
  "main.ts",
  "samples",
  "examples",
  "scripts",
  "bench",
  "__tests__",
];
const pathOf = (names) =>
  `^(${names.map((name) => (name.endsWith(".ts") ? `${name.replace(".", "\\.")}$` : `${name}/`)).join("|")})`;

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "circle",
      comment: "Files that import each other are one task in two places.",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "cli-shared",
      comment: "What several rooms of the program share imports none of them.",
      severity: "error",
      from: { path: "^cli/shared/" },
      to: { path: "^cli/", pathNot: "^cli/shared/" },
    },
    ...Object.entries(mayImport).map(([room, others]) => ({
      name: `room-${room}`,
      comment: `${room}/ may import of the project: ${others.join(", ") || "nothing"}.`,
      severity: "error",
      from: { path: pathOf([room]) },
      to: { path: pathOf(rooms.filter((name) => ![room, ...others].includes(name))) },
    })),
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(\\.cli|cdktf\\.out|dist|node_modules)/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
  },
};
