/** A whole number as people write it: 1,204. */
export const whole = (value: number) => Math.round(value).toLocaleString("en");

/** So many of something: 1 job, 1,204 jobs. */
export const counted = (count: number, one: string, several = `${one}s`) =>
  `${whole(count)} ${count === 1 ? one : several}`;

/** A time to the minute: 19 min, 2 h 19 min, 2 h. */
export function hoursAndMinutes(seconds: number): string {
  const minutes = Math.round(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return [
    ...(hours > 0 ? [`${whole(hours)} h`] : []),
    ...(minutes % 60 > 0 || hours === 0 ? [`${minutes % 60} min`] : []),
  ].join(" ");
}

/** US dollars as people write them: $1,204.50. What is less than a cent has six places. */
export const dollars = (usd: number) => {
  const digits = Math.abs(usd) > 0 && Math.abs(usd) < 0.01 ? 6 : 2;
  return usd.toLocaleString("en", {
    style: "currency",
    currency: "USD",
    minimumFractionDigits: 2,
    maximumFractionDigits: digits,
  });
};

/** What something costs, as people write it: $12.00, or at least that where something in it has no price. */
export const costInWords = ({ usd, isAtLeast }: { readonly usd: number; readonly isAtLeast: boolean }) =>
  `${isAtLeast ? "at least " : ""}${dollars(usd)}`;
