import { isColorSupported } from "picocolors";

/** Whether a stream is a terminal that shows colours. In CI, where picocolors has them on, it is none. */
export const showsColours = ({ isTTY }: { readonly isTTY?: boolean }): boolean => isTTY === true && isColorSupported;
