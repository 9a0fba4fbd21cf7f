import { patiently } from "../../local/patience";

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test("what takes long is said to be waited for every five seconds, until it has ended", async () => {
  const said: number[] = [];
  let end: (value: string) => void = () => {};
  const waiting = patiently(new Promise<string>((resolve) => (end = resolve)), (seconds) => said.push(seconds));
  jest.advanceTimersByTime(4_999);
  expect(said).toEqual([]);
  jest.advanceTimersByTime(6_000);
  expect(said).toEqual([5, 10]);
  end("done");
  expect(await waiting).toBe("done");
  jest.advanceTimersByTime(60_000);
  expect(said).toEqual([5, 10]);
});
