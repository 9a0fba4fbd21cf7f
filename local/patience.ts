/** How long something may be silent at a terminal before it is said what is waited for: longer looks like a hang. */
export const silenceSeconds = 5;

/**
 * Waits for something, and says every {@link silenceSeconds} that it is waited for.
 * @param say gets the seconds so far
 */
export async function patiently<T>(something: Promise<T>, say: (seconds: number) => void): Promise<T> {
  let seconds = 0;
  const timer = setInterval(() => {
    seconds += silenceSeconds;
    say(seconds);
  }, silenceSeconds * 1000);
  try {
    return await something;
  } finally {
    clearInterval(timer);
  }
}
