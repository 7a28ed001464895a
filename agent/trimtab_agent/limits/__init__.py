"""How much one caller may ask of the agent: calls a second, and calls at a time."""

from trimtab_agent.limits.callers import Callers as Callers
from trimtab_agent.limits.callers import CallLimits as CallLimits
from trimtab_agent.limits.interceptor import LimitInterceptor as LimitInterceptor
