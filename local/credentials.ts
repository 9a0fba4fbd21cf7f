import { createHmac, randomBytes } from "node:crypto";

/** The account that everything on this desk belongs to. */
export const accountId = "000000000000";

/**
 * What all secret keys of a run are made of, so that no other user of this machine has one. Processes that work on the same
 * stand-ins are told the same, in STAND_INS_SECRET. @default random
 */
export const standInsSecret = process.env.STAND_INS_SECRET ?? randomBytes(32).toString("hex");

/** The credentials of an access key, whichever it is: its secret holds in this run alone. */
export const credentialsOf = (accessKeyId: string) => ({
  accessKeyId,
  secretAccessKey: createHmac("sha256", standInsSecret).update(accessKeyId).digest("hex"),
});

/** Region and credentials of whoever sits at this desk: the warehouse's stand-in takes `operator` for its administrator. */
export const operator = { region: "us-east-1", credentials: credentialsOf("operator") };
