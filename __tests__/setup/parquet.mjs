// Prints the rows of a Parquet file as JSON, with each time as {"time": "..."} and each integer as {"integer": "..."}. jest
// cannot load the reader, an ES module.
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

const shown = (value) => {
  if (value instanceof Date) return { time: value.toISOString() };
  return typeof value === "bigint" ? { integer: String(value) } : value;
};
const rows = await parquetReadObjects({ file: await asyncBufferFromFile(process.argv[2]) });
console.log(JSON.stringify(rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, shown(v)])))));
