"""Warnings about the proxy on the command line."""

import logging

from bittern.cli.notices import notices


def test_warnings_about_the_proxy_are_said_as_long_as_somebody_listens() -> None:
    said: list[str] = []
    logger = logging.getLogger("bittern.proxy")
    with notices(said.append):
        logger.warning("the proxy %s: %s", "socks5://p:1", "connection\x1b[31m refused")
        logger.info("all is well")
        logging.getLogger("bittern.io").warning("something else")
    logger.info("nobody listens")
    assert len(said) == 1
    assert said[0].startswith("the proxy socks5://p:1: connection")
    assert "\x1b" not in said[0]


def test_what_a_router_does_is_said_though_it_is_no_warning() -> None:
    said: list[str] = []
    logger = logging.getLogger("bittern.network")
    with notices(said.append):
        logger.info("the router lets others in")
        logging.getLogger("bittern.proxy").info("all is well")
    logger.info("still")
    assert said == ["the router lets others in"]
