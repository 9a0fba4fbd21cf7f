/** How a request stands. */
export type RequestState = "waiting" | "answered" | "failed" | "cancelled";

const states: readonly RequestState[] = ["waiting", "answered", "failed", "cancelled"];

/** The row numbers that a receipt's request ids end with: `<run>.<row>`, where the run is a UUID. */
const ofRun = /^([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\.)(0|[1-9]\d{0,8})$/;

/** An input in 32 bits (FNV-1a). */
const hashOf = (inputId: string): number => {
  let hash = 0x811c9dc5;
  for (let place = 0; place < inputId.length; place++) {
    hash = Math.imul(hash ^ inputId.charCodeAt(place), 0x01000193);
  }
  return hash >>> 0;
};

/** Requests in a row, five bytes each. A state is its place among the states and one more; 0 is no request. */
class Page {
  readonly inputs = new Uint32Array(4096);
  readonly states = new Uint8Array(4096);
}

/** The requests of a run, by their numbers. */
type Run = Map<number, Page>;

const placeOf = (digits: string) => ({ place: Math.floor(Number(digits) / 4096), at: Number(digits) % 4096 });

/**
 * Requests, each with its input and how it stands. Those of a run take five bytes each, so that ten million of them are
 * 50 MB, and know their inputs by 32 bits; of others the ids are kept.
 */
export class RequestSet {
  private readonly runs = new Map<string, Run>();
  private readonly others = new Map<string, { inputHash: number; state: RequestState }>();
  private readonly sizes = new Map<string, number>();
  readonly counts: Record<RequestState, number> = { waiting: 0, answered: 0, failed: 0, cancelled: 0 };

  get size(): number {
    return states.reduce((sum, state) => sum + this.counts[state], 0);
  }

  /** What the request ids of each run begin with, and how many of them are here. */
  get prefixes(): ReadonlyMap<string, number> {
    return this.sizes;
  }

  /** Those of no run that stand so. */
  otherIds(...standing: readonly RequestState[]): string[] {
    return [...this.others].flatMap(([requestId, { state }]) => (standing.includes(state) ? [requestId] : []));
  }

  /** Takes a request, or says anew what it is for and how it stands. */
  add(requestId: string, inputId: string, state: RequestState) {
    const inputHash = hashOf(inputId);
    const [, prefix = "", digits] = ofRun.exec(requestId) ?? [];
    const before = this.stateOf(requestId);
    if (before !== undefined) this.counts[before]--;
    this.counts[state]++;
    if (digits === undefined) {
      this.others.set(requestId, { inputHash, state });
      return;
    }
    if (before === undefined) this.sizes.set(prefix, (this.sizes.get(prefix) ?? 0) + 1);
    const run: Run = this.runs.get(prefix) ?? new Map();
    this.runs.set(prefix, run);
    const { place, at } = placeOf(digits);
    const page = run.get(place) ?? new Page();
    run.set(place, page);
    page.inputs[at] = inputHash;
    page.states[at] = states.indexOf(state) + 1;
  }

  /** How a request stands; undefined where it is not here. */
  stateOf(requestId: string): RequestState | undefined {
    return this.find(requestId)?.state;
  }

  /** Whether a request is here, and for this input. */
  has(requestId: string, inputId: string): boolean {
    return this.find(requestId)?.inputHash === hashOf(inputId);
  }

  /** A request has ended so; one that is answered stays so. @param inputId for which input @default whichever it was */
  end(requestId: string, inputId: string | undefined, state: "answered" | "failed") {
    const found = this.find(requestId);
    if (found === undefined || found.state === "answered" || found.state === state) return;
    if (inputId !== undefined && found.inputHash !== hashOf(inputId)) return;
    this.counts[found.state]--;
    this.counts[state]++;
    found.become(state);
  }

  private find(requestId: string) {
    const [, prefix = "", digits] = ofRun.exec(requestId) ?? [];
    if (digits === undefined) {
      const other = this.others.get(requestId);
      if (other === undefined) return undefined;
      return {
        ...other,
        become: (state: RequestState) => {
          other.state = state;
        },
      };
    }
    const { place, at } = placeOf(digits);
    const page = this.runs.get(prefix)?.get(place);
    const state = states[(page?.states[at] ?? 0) - 1];
    if (page === undefined || state === undefined) return undefined;
    return {
      state,
      inputHash: page.inputs[at] ?? 0,
      become: (state: RequestState) => {
        page.states[at] = states.indexOf(state) + 1;
      },
    };
  }
}
