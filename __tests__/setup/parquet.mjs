// Prints the rows of a Parquet file as JSON, with each time as {"time": "..."}. jest cannot load the reader, an ES module.
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";

const shown = (value) => (value instanceof Date ? { time: value.toISOString() } : value);
const rows = await parquetReadObjects({ file: await asyncBufferFromFile(process.argv[2]) });
console.log(JSON.stringify(rows.map((row) => Object.fromEntries(Object.entries(row).map(([k, v]) => [k, shown(v)])))));
