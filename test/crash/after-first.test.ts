import { describeCrashes } from './enumerate.ts'

await describeCrashes('after', 'first')
