/** Pictures of links, taken when the kernel has done with them. */

import { until } from "./until.ts";

/**
 * What links and ports show until the kernel's link watch has come round, some time after they are up,
 * and their IPv6 addresses until the search for duplicates has found none, a second or two later.
 */
const UNSETTLED =
  /\bNO-CARRIER\b|\btentative\b|\bstate\\*":\\*"(?:disabled|listening|learning|blocking)\b/;

/**
 * The first picture that equals the one before it, and in which every link works, every port forwards
 * and every address can be used.
 */
export async function settled<T extends object>(take: () => Promise<T>): Promise<T> {
  let last = "";
  return await until("two looks agree, and all links, ports and addresses work", async () => {
    const picture = await take();
    const text = JSON.stringify(picture);
    const isSettled = text === last && !UNSETTLED.test(text);
    last = text;
    return isSettled && picture;
  }, { timeout: 20_000, interval: 50 });
}
