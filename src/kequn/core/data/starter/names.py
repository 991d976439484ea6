"""Chinese names, and the numbers a person has: all of them impossible outside this bank.

Identity numbers have the area code 99, which no place has, and a check digit that is wrong on purpose; telephone
numbers have eleven digits but begin with 101, where mobile numbers begin with 13 to 19; mail addresses end in
``.test``.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kequn.core.data.starter.draws import Bools, Ints, choose, yyyymmdd

SURNAMES: tuple[tuple[float, str], ...] = (
    (7.2, "王李张"),
    (5.4, "刘陈"),
    (3.1, "杨黄赵周吴"),
    (1.9, "徐孙马朱胡林郭何高"),
    (1.3, "罗郑梁谢宋唐许韩邓冯"),
    (0.9, "曹彭曾肖田董潘袁蔡蒋余于杜叶程"),
    (0.6, "魏苏吕丁任卢姚沈钟姜崔谭陆范汪廖石金"),
    (0.4, "韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙"),
    (0.25, "黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向汤温"),
)
"""Rough weights and the surnames that have them."""

FEMALE = (
    "芳娟敏静丽艳娜秀英玲桂兰珍霞红梅燕洁倩雪琳璐婷瑶欣怡妍颖蕾薇莹媛佳悦慧岚萍莉菊淑惠凤琴云蓉露晴彤雅诗涵梦琪萱菲茜"
)
MALE = (
    "伟强磊军洋勇杰涛明超刚平辉鹏华飞鑫波斌峰宇浩凯健俊帆志建国文博"
    "轩昊宏毅振海龙彬东亮永林成康坤翔旭晨阳泽睿铭皓楠栋晖锋钧胜"
)
EITHER = "春秋思安宁青子晓小嘉一之清远文景若言书林禾乐天元新心月和舒然可予初星河川简希辰柏"


def full_names(rng: np.random.Generator, male: Bools) -> pa.Array:
    """Draw a surname and one (older fashion, one in four) or two given characters for each person."""
    n = len(male)
    surnames = np.array([c for _, group in SURNAMES for c in group])
    weights = [w for w, group in SURNAMES for _ in group]
    family = pa.array(surnames).take(pa.array(choose(rng, weights, n)))
    first = _given(rng, male)
    second = _given(rng, male)
    single = rng.random(n) < 0.25
    return pc.binary_join_element_wise(family, first, pc.if_else(pa.array(single), "", second), "")


def _given(rng: np.random.Generator, male: Bools) -> pa.Array:
    letters = np.array(list(FEMALE + MALE + EITHER))
    n = len(male)
    of_sex = np.where(male, len(FEMALE) + rng.integers(0, len(MALE), n), rng.integers(0, len(FEMALE), n))
    of_either = len(FEMALE) + len(MALE) + rng.integers(0, len(EITHER), n)
    return pa.array(letters).take(pa.array(np.where(rng.random(n) < 0.75, of_sex, of_either)))


CHECK_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2], dtype=np.int64)
CHECK_DIGITS = "10X98765432"


def identity_numbers(rng: np.random.Generator, born: Ints, male: Bools) -> pa.Array:
    """Return 18-place numbers of the usual form (area, birth, sequence odd for men, check digit) that cannot exist."""
    n = len(born)
    area = 990_000 + rng.integers(1, 50, n) * 100 + rng.integers(1, 30, n)
    sequence = rng.integers(0, 500, n) * 2 + male
    digits = (area * 10**8 + yyyymmdd(born)) * 1000 + sequence
    places = (digits[:, None] // 10 ** np.arange(16, -1, -1, dtype=np.int64)) % 10
    wrong = (places @ CHECK_WEIGHTS + 1 + rng.integers(0, 10, n)) % 11
    last = pa.array(list(CHECK_DIGITS)).take(pa.array(wrong))
    return pc.binary_join_element_wise(pa.array(digits).cast(pa.string()), last, "")


def telephone_numbers(rng: np.random.Generator, n: int) -> pa.Array:
    """Return eleven-digit numbers that begin with 101."""
    return pa.array(10_100_000_000 + rng.integers(0, 10**8, n)).cast(pa.string())


def padded(numbers: Ints, width: int, prefix: str = "") -> pa.Array:
    """Return numbers as text with leading zeros after a prefix."""
    text = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), width=width, padding="0")
    return pc.binary_join_element_wise(prefix, text, "") if prefix else text
