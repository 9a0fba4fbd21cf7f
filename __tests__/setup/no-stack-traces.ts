/** In the place of cdktf's own: each token would carry the trace of where it was made, which is most of a synthesis in Jest. */
export const captureStackTrace = (): string[] => [];
