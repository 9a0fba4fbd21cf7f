/** The account that everything on this desk belongs to. */
export const accountId = "000000000000";

/** Region and credentials of whoever sits at this desk: the warehouse's stand-in lets `operator` do everything. */
export const operator = {
  region: "us-east-1",
  credentials: { accessKeyId: "operator", secretAccessKey: "operator" },
};
