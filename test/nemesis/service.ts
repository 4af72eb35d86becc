import { setTimeout as sleep } from 'node:timers/promises'
import type { Program } from '../e2e/program.ts'
import { isAlive, sendSignal, until } from '../e2e/processes.ts'

export interface ServiceOptions {
  name: string
  launch: () => Program
  /** What it writes to stderr when it is ready; its group is where it listens. */
  ready: RegExp
  /** Is told its port whenever it is ready. */
  onReady?: (port: number) => void
}

/** A program that is started again whenever it ends, as an operator's supervisor does, unless it is held down. */
export class Service {
  readonly name: string
  /** All of its processes, the last one last. */
  readonly programs: Program[] = []
  readonly #options: ServiceOptions
  #held: PromiseWithResolvers<void> | undefined
  #closed = false
  #isReady = false
  #port = 0

  constructor(options: ServiceOptions) {
    this.name = options.name
    this.#options = options
    void this.#run()
  }

  get pid(): number {
    return this.programs.at(-1)?.pid ?? 0
  }

  /** Where it listened when it was ready last. */
  get port(): number {
    return this.#port
  }

  get isUp(): boolean {
    return this.#isReady && isAlive(this.pid)
  }

  signal(signal: NodeJS.Signals): void {
    if (isAlive(this.pid)) sendSignal(this.pid, signal)
  }

  /** From now on it is not started again when it ends. */
  hold(): void {
    this.#held ??= Promise.withResolvers()
  }

  release(): void {
    this.#held?.resolve()
    this.#held = undefined
  }

  close(): void {
    this.#closed = true
    this.release()
  }

  async #run(): Promise<void> {
    for (;;) {
      await this.#held?.promise
      if (this.#closed) return
      const program = this.#options.launch()
      this.programs.push(program)
      await Promise.race([this.#watch(program), program.exit])
      await program.exit
      this.#isReady = false
      await sleep(200)
    }
  }

  async #watch(program: Program): Promise<void> {
    const { ready, onReady } = this.#options
    const isReady = () => ready.test(program.stderr())
    await until(`${this.name} is ready`, () => isReady() || !isAlive(program.pid), 120_000)
    if (!isReady()) return
    this.#port = Number(ready.exec(program.stderr())?.[1])
    this.#isReady = true
    onReady?.(this.#port)
  }
}
