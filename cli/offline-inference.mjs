#!/usr/bin/env node
// The program as npx runs it from a checkout, where the commands are TypeScript.
import { tsImport } from "tsx/esm/api";

await tsImport("./main.ts", import.meta.url);
