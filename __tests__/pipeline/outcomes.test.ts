import { unstorable } from "../../pipeline/outcomes";
import { answered } from "../setup/outcomes";

test.each([
  [{ inputId: "é".repeat(512) }, undefined],
  [{ inputId: `${"é".repeat(512)}x` }, "input_id must be at most 1,024 UTF-8 bytes, got 1,025"],
  [{ output: "x".repeat(64_000) }, undefined],
  [{ output: "x".repeat(65_536) }, "output must be at most 65,535 UTF-8 bytes, got 65,536"],
  [{ output: "x".repeat(65_535) }, "a row must be at most 64,512 UTF-8 bytes, got 65,641"],
  [{ output: "a\0b" }, "output must be Unicode text without NUL"],
  [{ output: "\ud800" }, "output must be Unicode text without NUL"],
  [{ output: "", jobId: undefined }, undefined],
  [{ variant: "v".repeat(64) }, "variant must be at most 63 UTF-8 bytes, got 64"],
])("what the warehouse cannot keep is told before it is staged: %#", (more, reason) => {
  expect(unstorable(answered(more))?.reason).toBe(reason);
});
