import { join } from "node:path";
import { columnsOf, csvLine, InvalidCsv, placeOf } from "../../pipeline/csv";
import { openCsv } from "./csv";

/** A request that was put on the queue. */
export interface ReceiptEntry {
  /** The input. */
  readonly id: string;
  readonly requestId: string;
  readonly jobId: string;
}

const columns = ["id", "request_id", "job_id"] as const;

/** Where receipts are kept that no other place is named for. */
export const receiptFolder = "receipts";

/** What the name of a file about a job begins with. */
export const fileNameOf = (jobId: string) => jobId.replace(/[^\w.-]/g, "_").slice(0, 80);

/** The receipt of a job that is run as a whole. */
export const receiptOf = (jobId: string) => join(receiptFolder, `${fileNameOf(jobId)}.csv`);

/** The first line of a receipt. */
export const receiptHeader = csvLine(columns);

/** The line of a request that was accepted. */
export const receiptLine = ({ id, requestId, jobId }: ReceiptEntry) => csvLine([id, requestId, jobId]);

/**
 * Reads a receipt as a stream.
 * @throws InvalidCsv where it is none, with its line
 */
export async function* readReceipt(path: string): AsyncGenerator<ReceiptEntry, void, undefined> {
  const file = await openCsv(path);
  try {
    const { valueIn } = columnsOf(path, file.header, { required: columns });
    for await (const row of file.rows()) {
      const [id, requestId, jobId] = columns.map((column) => valueIn(row, column));
      if (!id || !requestId || !jobId) {
        const place = `${path}:${placeOf(row)}`;
        throw new InvalidCsv(`${place}: a row of a receipt has ${columns.join(", ")}, and none of them empty`);
      }
      yield { id, requestId, jobId };
    }
  } finally {
    await file.close();
  }
}
