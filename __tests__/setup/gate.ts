/** Where a call stops: a test waits until one has come, and lets all go on when it is ready. */
export function gate() {
  let [come, open] = [() => {}, () => {}];
  const arrived = new Promise<void>((resolve) => {
    come = resolve;
  });
  const released = new Promise<void>((resolve) => {
    open = resolve;
  });
  return {
    /** Is done when a call has come. */
    arrived,
    /** What a call does here. Is done when it may go on. */
    pass: (): Promise<void> => {
      come();
      return released;
    },
    /** Lets those that have come, and all that will, go on. */
    release: () => open(),
  };
}
