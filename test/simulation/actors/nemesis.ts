import type { Site } from '../site.ts'
import type { World } from '../world.ts'

/** Strikes processes and the bank as a whole, again and again until the world is healed. */
export async function runNemesis(world: World): Promise<void> {
  const { bank, dice, timeline } = world
  while (!world.healed) {
    await timeline.sleep(dice.between(50, 1_000))
    for (const site of world.sites) if (site.process.state === 'running') strike(world, site)
    if (world.strikes('bank_outage')) bank.goAway(dice.between(500, 60_000))
  }
}

function strike(world: World, site: Site): void {
  const { dice, options, timeline } = world
  const { process } = site
  if (world.strikes('process_crash')) {
    site.crash()
    timeline.after(dice.between(0, 10_000), () => revive(site))
  } else if (world.strikes('process_pause')) {
    site.pause()
    // Often for longer than a lease: it then goes on believing that it still holds its work.
    timeline.after(dice.between(0, 4 * options.lease_ms), () => {
      if (process.state === 'paused') site.resume()
    })
  } else if (world.strikes('process_restart') && !site.stopping) {
    void site.stop().then(() => revive(site))
  }
}

/** Nothing goes wrong from now on, and whoever lies still gets up. */
export function heal(world: World): void {
  world.timeline.tell('world', 'is healed')
  world.healedMs = world.timeline.nowMs
  world.bank.comeBack()
  for (const site of world.sites) revive(site)
}

function revive(site: Site): void {
  if (site.closed) return
  if (site.process.state === 'paused') site.resume()
  if (site.process.state === 'dead') site.start()
}
