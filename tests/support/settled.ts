/** Pictures of links, taken when the kernel has done with them. */

import { until } from "./until.ts";

/** What links and ports show until the kernel's link watch has come round, some time after they are up. */
const UNSETTLED = /\bNO-CARRIER\b|\bstate\\*":\\*"(?:disabled|listening|learning|blocking)\b/;

/** The first picture that equals the one before it, and in which every link works and every port forwards. */
export async function settled<T extends object>(take: () => Promise<T>): Promise<T> {
  let last = "";
  return await until("two looks agree, and all links have a carrier and forward", async () => {
    const picture = await take();
    const text = JSON.stringify(picture);
    const isSettled = text === last && !UNSETTLED.test(text);
    last = text;
    return isSettled && picture;
  }, { timeout: 20_000, interval: 50 });
}
