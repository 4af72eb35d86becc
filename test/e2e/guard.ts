import { createInterface } from 'node:readline'
import { removeFootprint, type Footprint } from './processes.ts'

/**
 * Runs beside a test file and cleans up after it if it dies before it could: node's test runner kills a test file
 * that takes too long, or whose run is interrupted, without letting it end. Each line is a place as it is now.
 */
const footprints = new Map<string, Footprint>()
for await (const line of createInterface({ input: process.stdin })) {
  const footprint = JSON.parse(line) as Footprint
  footprints.set(footprint.folder, footprint)
}
for (const footprint of footprints.values()) await removeFootprint(footprint)
