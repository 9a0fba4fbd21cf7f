#!/usr/bin/env node
// The program as npx runs it from a checkout, where the commands are TypeScript and import what they need when they run.
import "tsx";

await import("./main.ts");
