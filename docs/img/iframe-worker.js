// Browsers make no worker of a file on the disk: on pages opened from there the search runs in a frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      const inside = frame.contentWindow;
      const answer = (data) => {
        const event = new MessageEvent("message", { data });
        this.dispatchEvent(event);
        this.onmessage?.(event);
      };
      inside.postMessage = (data) => setTimeout(answer, 0, structuredClone(data));
      const script = inside.document.createElement("script");
      this.ready = new Promise((resolve) => { script.onload = () => resolve(inside); });
      script.src = url;
      inside.document.body.append(script);
    }
    postMessage(data) {
      const copy = structuredClone(data);
      this.ready.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data: copy })));
    }
    terminate() {}
  };
}
