import { describe, it, type TestContext } from 'node:test'
import { chooseSeed, makeRandom } from '../support/random.ts'
import { countPoints, crash } from './enumerate.ts'

const minutes = Number(process.env['LONG_MINUTES'] ?? '1')
const seed = chooseSeed()

/** What the enumeration leaves out: any time at which a point is reached, and a second crash of whoever mends the first. */
describe(
  `killed twice at places by chance, for ${minutes} minutes, SEED=${seed}`,
  { concurrency: 3 },
  async () => {
    const random = makeRandom(seed)
    const points = [...(await countPoints())]
    const endsAt = performance.now() + minutes * 60_000
    const choosePlace = (): string => {
      const [point, count] = random.pick(points)
      return `${point}:${1 + random.below(count)}`
    }
    for (let lane = 0; lane < 3; lane++)
      it(`lane ${lane}`, async (t) => {
        for (let run = 1; performance.now() < endsAt; run++) {
          const places = [choosePlace(), choosePlace()]
          await t.test(places.join(' and '), async (t: TestContext) => {
            t.diagnostic(`${await crash(t, places)} of 2 reached`)
          })
        }
      })
  }
)
