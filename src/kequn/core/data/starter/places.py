"""Where the starter bank is: provinces, cities, branches and the people who work there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from kequn.core.data.starter.draws import Floats, stream

PROVINCES: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("江苏省", "Jiangsu", (("南京市", "Nanjing"), ("苏州市", "Suzhou"), ("南通市", "Nantong"))),
    ("浙江省", "Zhejiang", (("杭州市", "Hangzhou"), ("宁波市", "Ningbo"), ("绍兴市", "Shaoxing"))),
    ("安徽省", "Anhui", (("合肥市", "Hefei"), ("芜湖市", "Wuhu"))),
    ("福建省", "Fujian", (("福州市", "Fuzhou"), ("泉州市", "Quanzhou"))),
    ("湖北省", "Hubei", (("武汉市", "Wuhan"), ("宜昌市", "Yichang"))),
    ("四川省", "Sichuan", (("成都市", "Chengdu"), ("绵阳市", "Mianyang"))),
)
STREETS = (
    "人民路",
    "中山路",
    "解放路",
    "建设路",
    "新华路",
    "和平路",
    "文昌路",
    "江滨路",
    "学府路",
    "东风路",
    "桥头镇",
    "河口县",
)
STREETS_EN = (
    "Renmin Road", "Zhongshan Road", "Jiefang Road", "Jianshe Road", "Xinhua Road", "Heping Road", "Wenchang Road",
    "Jiangbin Road", "Xuefu Road", "Dongfeng Road", "Qiaotou Town", "Hekou County",
)  # fmt: skip
OTHER_CITIES = (
    ("上海市", "上海市"),
    ("广东省", "深圳市"),
    ("河南省", "郑州市"),
    ("湖南省", "长沙市"),
    ("江西省", "南昌市"),
    ("山东省", "青岛市"),
)
"""(province, city) where some customers live though the bank has no branch there."""

HEAD_OFFICE = "0000"
N_BRANCHES = 42


@dataclass(frozen=True, slots=True)
class Branch:
    """One node of the branch tree."""

    code: str
    name: str
    name_en: str
    parent: str
    level: str
    city: str
    province: str
    area: int = 0
    """0 urban, 1 county, 2 town."""


TASKS_A_DAY = 20


@dataclass(frozen=True, slots=True)
class Person:
    """One member of staff, with the tasks she can be given a day; ``login`` for the fixed cast of tests and demo."""

    number: str
    name: str
    role: str
    branch: str
    capacity: int
    login: str = ""


@cache
def branches() -> tuple[Branch, ...]:
    """Return the tree, parents first; the leaves, which have customers, are the last ``N_BRANCHES``."""
    upper = [Branch(HEAD_OFFICE, "客群银行总行", "Kequn Bank head office", "", "head_office", "南京市", "江苏省")]
    cities: list[Branch] = []
    for p, (province, province_en, towns) in enumerate(PROVINCES, start=1):
        code = f"9{p}00"
        upper.append(
            Branch(code, f"{province[:-1]}分行", f"{province_en} region", HEAD_OFFICE, "province", "", province)
        )
        for c, (city, city_en) in enumerate(towns, start=1):
            cities.append(Branch(f"9{p}0{c}", f"{city[:-1]}分行", f"{city_en} area", code, "city", city, province))
    leaves = [_leaf(i, cities[i % len(cities)]) for i in range(N_BRANCHES)]
    return (*upper, *cities, *leaves)


def _leaf(number: int, city: Branch) -> Branch:
    street = (number // 3 + number) % len(STREETS)
    area = max(0, street - 9)
    return Branch(
        f"{number + 1:04d}",
        f"{city.city[:-1]}{STREETS[street]}支行",
        f"{city.name_en.removesuffix(' area')} {STREETS_EN[street]} branch",
        city.code,
        "branch",
        city.city,
        city.province,
        (0, 2, 1)[area],
    )


def leaves() -> tuple[Branch, ...]:
    """Return the branches that have customers, 0001 first."""
    return branches()[-N_BRANCHES:]


def branch_weights() -> Floats:
    """Return how many customers each leaf has, relative to the others."""
    sizes = stream(1, "branch sizes").uniform(0.6, 1.6, N_BRANCHES)
    sizes[:2] = 1.5
    return np.asarray(sizes / sizes.sum(), dtype=np.float64)


CAST = {
    "wangfang": "100101",
    "liqiang": "100100",
    "chenjing": "100201",
    "zhaomin": "100001",
    "zhoulv": "100002",
    "sunli": "100003",
    "admin": "100009",
}
"""Login of the fixed cast -> staff number in the bank's files."""

HEAD_OFFICE_STAFF = (
    ("zhaomin", "赵敏", "marketer"),
    ("zhoulv", "周律", "checker"),
    ("sunli", "孙立", "analyst"),
    ("admin", "系统管理员", "admin"),
)


def rms_per_branch(customers: int) -> int:
    """Return how many relationship managers a branch has in a bank of this size (about 400 managed customers each)."""
    return max(2, -(-customers // 50_000))


def rm_number(branch: int, rm: int) -> str:
    """Staff number of the ``rm``-th (0-based) relationship manager of the ``branch``-th (0-based) leaf."""
    return f"10{branch + 1:02d}{rm + 1:02d}" if rm < 98 else f"1{branch + 1:02d}{rm + 1:05d}"


def staff(customers: int) -> tuple[Person, ...]:
    """Return head office, and a head and relationship managers for each leaf."""
    from kequn.core.data.starter.names import full_names  # names need arrays; the tree above does not

    people = [Person(CAST[login], name, role, HEAD_OFFICE, 0, login) for login, name, role in HEAD_OFFICE_STAFF]
    per_branch = rms_per_branch(customers)
    rng = stream(2, "staff")
    drawn = full_names(rng, rng.random(N_BRANCHES * (per_branch + 1)) < 0.45).to_pylist()
    fixed = {
        CAST["wangfang"]: ("王芳", "wangfang"),
        CAST["liqiang"]: ("李强", "liqiang"),
        CAST["chenjing"]: ("陈静", "chenjing"),
    }
    for b, branch in enumerate(leaves()):
        names = drawn[b * (per_branch + 1) : (b + 1) * (per_branch + 1)]
        head = f"10{b + 1:02d}00"
        people.append(
            Person(
                head, fixed.get(head, (names[0], ""))[0], "branch_head", branch.code, 0, fixed.get(head, ("", ""))[1]
            )
        )
        for r in range(per_branch):
            number = rm_number(b, r)
            name, login = fixed.get(number, (names[r + 1], ""))
            people.append(Person(number, name, "rm", branch.code, TASKS_A_DAY, login))
    return tuple(people)
