#!/usr/bin/env node
// The program: runs the bundle of cli/main.ts, and makes it first where a source has changed.
import { pathToFileURL } from "node:url";
import { currentBundle, makeBundle } from "../scripts/bundle-cli.mjs";

if (process.argv.includes("--debug")) process.setSourceMapsEnabled(true); // for its stack traces; it costs time

const bundle =
  currentBundle() ??
  (await makeBundle().catch((error) => {
    console.error(error.code === "ERR_MODULE_NOT_FOUND" ? "Install what it needs first: npm ci" : error.message);
    process.exit(1);
  }));
await import(pathToFileURL(bundle).href);
