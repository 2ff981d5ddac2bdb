// What pages use of the vendor's SDK, put together from the vendor's own declarations (@appetize/playwright). The package
// does not declare a few things, which are as the vendor documents them: `window.appetize`, `getClient`, `sessionError`.
import type { HeadfulClient, HeadfulClientEvents } from "@appetize/core/client/headful-client";
import type { Session, SessionConfig, SessionEvents, UserSessionConfig } from "@appetize/core/session/session";

type Calls =
  | "end" | "openUrl" | "heartbeat" | "screenshot" | "type" | "keypress" | "tap" | "swipe" | "restartApp" | "reinstallApp";

export interface SdkSession extends Pick<Session, Calls | "config" | "device" | "app"> {
  on<K extends keyof SessionEvents>(event: K, listener: (value: SessionEvents[K]) => void): unknown;
}

export interface SdkEvents extends Omit<HeadfulClientEvents<Session>, "session"> {
  session: SdkSession;
  sessionError: Error;
}

type Client = HeadfulClient<any, HeadfulClientEvents<Session>, Session>;

export interface SdkClient extends Pick<Client, "setConfig" | "getConfig" | "endSession" | "device" | "app"> {
  startSession(...args: [config?: Partial<Configuration>]): Promise<SdkSession>;
  on<K extends keyof SdkEvents>(event: K, listener: (value: SdkEvents[K]) => void): unknown;
}

/** `platform` is documented for pages, and left out where a test runner configures. */
type Configuration = UserSessionConfig & Pick<SessionConfig, "platform">;

export interface Sdk {
  getClient(selector: string, config?: Configuration): Promise<SdkClient>;
}

declare global {
  type AppetizeSdk = Sdk;
  type AppetizeClient = SdkClient;
  type AppetizeSession = SdkSession;
  type AppetizeConfig = Configuration;
  interface Window {
    appetize?: Sdk;
  }
}
