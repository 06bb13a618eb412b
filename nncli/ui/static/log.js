/* A log of a run, read piece by piece while it grows. */
import { get } from "./dom.js";

export class Log {
  constructor(run, log = "metrics") {
    Object.assign(this, { run, log });
    this.forget();
  }

  forget() {
    Object.assign(this, { place: "", count: 0 });
    // They have no names of their own, such as `constructor`.
    this.columns = Object.create(null);
    this.labels = Object.create(null);
  }

  /* Read what is new; return whether there was anything. */
  async read() {
    let changed = false, piece;
    do {
      const question = { name: this.run, log: this.log, from: this.place };
      piece = await get("/api/rows", question, "no-store");
      if (piece.anew && this.count) {
        this.forget();
        changed = true;
      }
      this.add(piece);
      changed ||= piece.count > 0;
    } while (piece.more);
    return changed;
  }

  add(piece) {
    for (const name of Object.keys(piece.columns))
      this.columns[name] ??= Array(this.count).fill(null);
    for (const [name, column] of Object.entries(this.columns)) {
      const more = piece.columns[name] ?? Array(piece.count).fill(null);
      for (const value of more) column.push(value);
    }
    this.count += piece.count;
    this.place = piece.place;
    Object.assign(this.labels, piece.labels);
  }

  /* The points of a column over another one, without rows that lack x. */
  points(name, x) {
    const [xs, ys] = [this.columns[x] ?? [], this.columns[name] ?? []];
    const found = [];
    for (let i = 0; i < ys.length; i++)
      if (xs[i] != null) found.push([xs[i], ys[i]]);
    return found;
  }

  /* Whether there is an epoch of its own for each row. */
  get byEpoch() {
    const epochs = this.columns.epoch ?? [];
    return epochs.length > 0 && epochs.every((each, i) => !i || each > epochs[i - 1]);
  }
}
