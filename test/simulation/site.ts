import type { Context } from '../../src/context.ts'
import { makeSimulatedContext } from './boundaries/context.ts'
import { Process } from './process.ts'
import type { World } from './world.ts'

/** Starts what a process does; returns how it is stopped gracefully. */
export type Boot = (context: Context, process: Process, world: World) => () => Promise<void>

/** A place where a process runs: when it has ended, another one starts there. */
export class Site {
  readonly name: string
  process!: Process
  context!: Context
  stopping = false
  /** No other process starts here. */
  closed = false
  readonly #world: World
  readonly #boot: Boot
  #starts = 0
  #stop!: () => Promise<void>

  constructor(world: World, name: string, boot: Boot) {
    this.name = name
    this.#world = world
    this.#boot = boot
    this.start()
  }

  start(): void {
    this.#starts += 1
    this.stopping = false
    this.process = new Process(`${this.name}.${this.#starts}`, this.#world.timeline)
    this.context = makeSimulatedContext(this.#world, this.process)
    this.#stop = this.#boot(this.context, this.process, this.#world)
    this.#tell('starts')
  }

  crash(): void {
    this.#tell('crashes')
    this.process.crash()
  }

  pause(): void {
    this.#tell('stands still')
    this.process.pause()
  }

  resume(): void {
    this.#tell('goes on')
    this.process.resume()
  }

  /** Ends the process as SIGTERM does; resolves when what it had claimed has been recorded. */
  async stop(): Promise<void> {
    const { process } = this
    this.stopping = true
    this.#tell('is to stop')
    await this.#stop()
    process.crash()
    this.#world.timeline.tell(process.name, 'has stopped')
  }

  #tell(what: string): void {
    this.#world.timeline.tell(this.process.name, what)
  }
}
