import type { Timeline } from './timeline.ts'

/** A call of the outside world: what it does there and when, and what comes back. Whatever comes back first counts. */
export interface Call<T> {
  /** When the request arrives; null if it gets lost. */
  arrivesMs: number | null
  perform: () => T | Promise<T>
  /** How long the answer takes; null if it gets lost. */
  answerMs: number | null
  /** What the caller is left with if it waits for longer than this. */
  otherwise?: { afterMs: number; result: T | Error }
}

/**
 * A process of the program. Its code runs only when something is delivered to it: so a process that is paused stands
 * still at whatever it waits for, and one that has crashed never runs again, while the requests it sent are on their
 * way all the same.
 */
export class Process {
  readonly name: string
  readonly #timeline: Timeline
  #state: 'running' | 'paused' | 'dead' = 'running'
  #held: (() => void)[] = []

  constructor(name: string, timeline: Timeline) {
    this.name = name
    this.#timeline = timeline
  }

  get state() {
    return this.#state
  }

  /** Runs code of this process after some time, if it is running then; returns a function that calls it off. */
  deliver(ms: number, resume: () => void): () => void {
    return this.#timeline.after(ms, () => {
      if (this.#state === 'running') resume()
      else if (this.#state === 'paused') this.#held.push(resume)
    })
  }

  call<T>({ arrivesMs, perform, answerMs, otherwise }: Call<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle = (result: T | Error) => (result instanceof Error ? reject(result) : resolve(result))
      if (otherwise) this.deliver(otherwise.afterMs, () => settle(otherwise.result))
      if (arrivesMs === null) return
      this.#timeline.after(arrivesMs, async () => {
        const result = await attempt(perform)
        if (answerMs !== null) this.deliver(answerMs, () => settle(result))
      })
    })
  }

  pause(): void {
    this.#state = 'paused'
  }

  /** Goes on where it stood, with everything that came in since, one after the other. */
  resume(): void {
    this.#state = 'running'
    const held = this.#held
    this.#held = []
    for (const resume of held) this.deliver(0, resume)
  }

  crash(): void {
    this.#state = 'dead'
    this.#held = []
  }
}

async function attempt<T>(perform: () => T | Promise<T>): Promise<T | Error> {
  try {
    return await perform()
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
