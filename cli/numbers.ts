/** A whole number as people write it: 1,204. */
export const whole = (value: number) => Math.round(value).toLocaleString("en");
